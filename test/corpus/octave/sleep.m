pause(60);
