disp('Hello, world!');
