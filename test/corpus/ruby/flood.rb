loop { puts 'harbour' }
