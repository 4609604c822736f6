import std.algorithm, std.array, std.conv, std.stdio;

void main() {
    auto count = readln().splitter.front.to!int;
    auto numbers = stdin.byLineCopy.map!splitter.joiner.map!(to!int).array;
    writeln("sum: ", numbers.sum);
    writeln("largest: ", numbers.maxElement);
    writefln("mean: %.2f", numbers.sum.to!double / count);
}
