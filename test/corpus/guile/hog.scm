(let loop ((kept '())) (loop (cons (make-string 1048576 #\x) kept)))
