// Judges a submission in C++ by test cases, and shows what came of each.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"drydock.dev/drydock"
)

const source = `
#include <iostream>
int main() { long long a, b; std::cin >> a >> b; std::cout << a + b << std::endl; }
`

func main() {
	ctx := context.Background()
	client, err := drydock.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	job, err := client.Submit(ctx, drydock.Program{
		Language: "cpp",
		Source:   source,
		TestCases: []drydock.TestCase{
			{Name: "small", Stdin: "1 2", ExpectedOutput: new("3")},
			{Name: "large", Stdin: "4000000000 4000000000", ExpectedOutput: new("8000000000")},
		},
		Limits: drydock.Limits{CPUTime: 2 * time.Second, MemoryBytes: 256 << 20},
	})
	if err != nil {
		log.Fatal(err)
	}
	result, err := job.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if result.Verdict == drydock.VerdictCompileError {
		fmt.Print(result.Compile.Stderr)
	}
	for _, each := range result.Cases {
		fmt.Println(each.Name, each.Verdict)
	}
	fmt.Println(result.Verdict)
}
