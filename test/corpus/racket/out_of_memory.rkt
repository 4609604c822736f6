#lang racket/base

(displayln (bytes-length (make-bytes (expt 2 45))))
