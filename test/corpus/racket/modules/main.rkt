#lang racket/base

(require racket/format
         "shapes.rkt")

(printf "square: ~a\n" (~r (square 3) #:precision '(= 2)))
(printf "circle: ~a\n" (~r (circle 2) #:precision '(= 2)))
