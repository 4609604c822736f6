counts = $stdin.read.downcase.scan(/[a-z]+/).tally
counts.sort_by { |word, count| [-count, word] }.each { |word, count| puts "#{word} #{count}" }
