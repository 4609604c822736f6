function square(side) {
    return side ^ 2
}

function circle(radius) {
    return atan2(0, -1) * radius ^ 2
}
