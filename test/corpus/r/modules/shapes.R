square <- function(side) side^2

circle <- function(radius) pi * radius^2
