(define count (read))
(define numbers (let loop ((n count)) (if (= n 0) '() (let ((x (read))) (cons x (loop (- n 1)))))))
(define sum (apply + numbers))
(define hundredths (round (/ (* 100 sum) count)))
(for-each display
  (list "sum: " sum "\nlargest: " (apply max numbers) "\nmean: "
        (quotient hundredths 100) "." (if (< (remainder hundredths 100) 10) "0" "") (remainder hundredths 100) "\n"))
