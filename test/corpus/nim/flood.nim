while true: echo "harbour"
