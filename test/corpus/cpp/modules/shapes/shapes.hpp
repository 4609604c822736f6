#pragma once

#include <memory>
#include <vector>

struct Shape {
    virtual ~Shape() = default;
    virtual const char *name() const = 0;
    virtual double area() const = 0;
};

std::vector<std::unique_ptr<Shape>> all_shapes();
