use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Shapes;

printf "square: %.2f\ncircle: %.2f\n", Shapes::square(3), Shapes::circle(2);
