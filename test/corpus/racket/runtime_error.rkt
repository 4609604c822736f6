#lang racket/base

(displayln "before")
(error "the harbour is closed")
