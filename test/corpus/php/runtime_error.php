<?php

echo "before\n";
throw new RuntimeException('the harbour is closed');
