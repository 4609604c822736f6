object CompileError extends App {
  println(harbour)
}
