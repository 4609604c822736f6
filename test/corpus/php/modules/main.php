<?php

require __DIR__ . '/shapes.php';

foreach ([new Square(3), new Circle(2)] as $shape) {
    printf("%s: %.2f\n", $shape->name(), $shape->area());
}
