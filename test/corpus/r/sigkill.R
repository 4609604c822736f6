tools::pskill(Sys.getpid(), tools::SIGKILL)
