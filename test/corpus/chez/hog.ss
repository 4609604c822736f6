(let loop ((kept '())) (loop (cons (make-bytevector 1048576 7) kept)))
