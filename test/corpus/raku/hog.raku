my @kept;
loop { @kept.push: Buf.allocate(1048576, 7) }
