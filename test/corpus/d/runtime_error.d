import std.stdio;

void main() {
    writeln("before");
    throw new Exception("the harbour is closed");
}
