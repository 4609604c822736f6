module corpus.test/packages

go 1.19
