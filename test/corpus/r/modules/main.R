source("shapes.R")

cat(sprintf("%s: %.2f\n", c("square", "circle"), c(square(3), circle(2))), sep = "")
