#lang racket/base

(displayln "Ahoj, světe ✓")
(for ([line (in-lines)])
  (define characters (string->list line))
  (printf "~a ~a\n" (length characters) (list->string (reverse characters))))
