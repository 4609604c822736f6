package process

// WindowBytes is how far a program runs ahead of its reader.
const WindowBytes = windowBytes
