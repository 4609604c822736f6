disp('before');
error('the harbour is closed');
