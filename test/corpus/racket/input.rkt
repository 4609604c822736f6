#lang racket

(define numbers
  (for/list ([_ (in-range (read))])
    (read)))
(define sum (apply + numbers))

(printf "sum: ~a\n" sum)
(printf "largest: ~a\n" (apply max numbers))
(printf "mean: ~a\n" (~r (/ sum (length numbers)) #:precision '(= 2)))
