// Runs a program, and says what became of it.
package main

import (
	"context"
	"fmt"
	"log"

	"drydock.dev/drydock"
)

func main() {
	ctx := context.Background()
	client, err := drydock.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	result, err := client.Run(ctx, "python", "print(6 * 7)")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(result.Verdict, " ", result.Stdout)
	log.Printf("%v of CPU, %d bytes", result.Usage.CPUTime, result.Usage.PeakMemoryBytes)
}
