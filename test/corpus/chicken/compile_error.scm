(define (harbour ship)
  (display ship)
