#pragma once

double square(double side);
double circle(double radius);
