(ns main
  (:require [shapes.area :as area]))

(println (format "square: %.2f" (area/square 3.0)))
(println (format "circle: %.2f" (area/circle 2.0)))
