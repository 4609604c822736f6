BEGIN { while (1) kept[count++] = sprintf("%1048576s", "") }
