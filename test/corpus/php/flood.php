<?php
while (true) echo "harbour\n";
