#lang racket/base

(define kept
  (for/list ([_ (in-naturals)])
    (make-bytes (expt 2 20) 120)))
