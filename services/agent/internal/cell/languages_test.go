package cell_test

import (
	"testing"

	pb "drydock.dev/agent/internal/agentv1"
	"drydock.dev/agent/internal/sandboxtest"
)

// Languages whose runtimes make threads, map much memory, look at the machine, or start other programs. Languages that the
// image lacks are left out.
func TestLanguagesRunInACell(t *testing.T) {
	s := sandboxtest.New(t, sandboxtest.Options{Cells: true, Processes: 512, Memory: 1 << 30})
	for _, language := range []struct {
		name, file, text string
		steps            [][]string
	}{
		{"python3", "main.py", "import threading, multiprocessing, tempfile, sqlite3, ssl, random\nt = threading.Thread(target=print, args=('hello',)); t.start(); t.join()\nprint(multiprocessing.get_context('fork').Pool(2).map(len, ['ab', 'c']))\n",
			[][]string{{"python3", "main.py"}}},
		{"node", "main.js", "new (require('worker_threads').Worker)(\"console.log('hello')\", {eval: true}).on('exit', () => console.log('[ 2, 1 ]'))\n",
			[][]string{{"node", "main.js"}}},
		{"gcc", "main.c", "#include <stdio.h>\n#include <pthread.h>\nvoid *f(void *x) { puts(\"hello\"); return x; }\nint main(void) { pthread_t t; pthread_create(&t, 0, f, 0); pthread_join(t, 0); puts(\"done\"); }\n",
			[][]string{{"gcc", "-O1", "-pthread", "-o", "main", "main.c"}, {"./main"}}},
		{"g++", "main.cpp", "#include <iostream>\nint main() { std::cout << \"hello\\ndone\\n\"; }\n",
			[][]string{{"g++", "-o", "main", "main.cpp"}, {"./main"}}},
		{"go", "main.go", "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n",
			[][]string{{"go", "build", "-o", "main", "main.go"}, {"./main"}}},
		{"javac", "Main.java", "class Main { public static void main(String[] a) throws Exception { var t = new Thread(() -> System.out.println(\"hello\")); t.start(); t.join(); } }\n",
			[][]string{{"javac", "Main.java"}, {"java", "-Xshare:auto", "-cp", ".", "Main"}}},
		{"rustc", "main.rs", "fn main() { std::thread::spawn(|| println!(\"hello\")).join().unwrap(); }\n",
			[][]string{{"rustc", "-o", "main", "main.rs"}, {"./main"}}},
		{"mcs", "Main.cs", "class P { static void Main() { var t = new System.Threading.Thread(() => System.Console.WriteLine(\"hello\")); t.Start(); t.Join(); } }\n",
			[][]string{{"mcs", "-out:main.exe", "Main.cs"}, {"mono", "main.exe"}}},
		{"erl", "main.erl", "-module(main).\n-export([main/0]).\nmain() -> io:format(\"hello~n\"), halt().\n",
			[][]string{{"erlc", "main.erl"}, {"erl", "-noshell", "-s", "main", "main"}}},
		{"ruby", "main.rb", "Thread.new { puts 'hello' }.join\n", [][]string{{"ruby", "main.rb"}}},
		{"perl", "main.pl", "print \"hello\\n\";\n", [][]string{{"perl", "main.pl"}}},
		{"php", "main.php", "<?php echo \"hello\\n\";\n", [][]string{{"php", "main.php"}}},
		{"bash", "main.sh", "cat < <(echo hello)\n", [][]string{{"bash", "main.sh"}}},
	} {
		t.Run(language.name, func(t *testing.T) {
			c := openLanguageCell(s, t)
			defer c.Cancel()
			c.File(language.file, 0, language.text)
			for i, step := range language.steps {
				r := c.Run(&pb.StartRequest{Command: step, Environment: map[string]string{"GOCACHE": "/tmp/go"}})
				if i == 0 && r.Refused != "" {
					t.Logf("not here: %s", r.Refused)
					return
				}
				last := i == len(language.steps)-1
				if r.Exited.GetExitCode() != 0 || last && (len(r.Stdout) < 6 || r.Stdout[:6] != "hello\n") {
					t.Errorf("%q: %+v %v", step, r, r.Exited)
				}
			}
		})
	}
}

// openLanguageCell has room for the files of compilers.
func openLanguageCell(s *sandboxtest.Sandbox, t *testing.T) *sandboxtest.Cell {
	t.Helper()
	c, err := s.TryCellOf(s.Context(120e9), &pb.OpenCell{DiskBytes: 320 << 20, SharedMemoryBytes: 16 << 20})
	sandboxtest.Must(t, err)
	c.T = t
	return c
}
