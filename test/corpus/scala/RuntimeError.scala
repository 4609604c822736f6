object RuntimeError extends App {
  println("before")
  sys.error("the harbour is closed")
}
