(define limit 5000)
(define composite (make-vector (+ limit 1) #f))
(let loop ((i 2) (count 0) (last 0))
  (cond
    ((> i limit)
     (for-each display (list count " primes up to " limit ", the last is " last))
     (newline))
    ((vector-ref composite i) (loop (+ i 1) count last))
    (else
     (do ((j (* i i) (+ j i))) ((> j limit)) (vector-set! composite j #t))
     (loop (+ i 1) (+ count 1) i))))
