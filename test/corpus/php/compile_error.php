<?php

$ports = ['Kiel', 'Brest';
echo count($ports), "\n";
