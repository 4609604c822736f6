// Queues 1,000 programs, or as many as the first argument says, and shows progress as they end.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"

	"drydock.dev/drydock"
)

func main() {
	count := 1_000
	if len(os.Args) > 1 {
		var err error
		if count, err = strconv.Atoi(os.Args[1]); err != nil {
			log.Fatal(err)
		}
	}
	ctx := context.Background()
	client, err := drydock.New(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	var programs []drydock.Program
	for i := range count {
		programs = append(programs, drydock.Program{
			Language:       "python",
			Source:         "print(int(input()) ** 2)",
			Stdin:          strconv.Itoa(i),
			ExpectedOutput: new(strconv.Itoa(i * i)),
		})
	}
	submitted, err := client.SubmitBatch(ctx, programs)
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan string)
	var waiting sync.WaitGroup
	for _, each := range submitted {
		waiting.Go(func() { ended <- outcome(ctx, each) })
	}
	go func() {
		waiting.Wait()
		close(ended)
	}()
	outcomes, total := map[string]int{}, 0
	for each := range ended {
		outcomes[each]++
		if total++; total%100 == 0 {
			log.Printf("%d of %d", total, len(submitted))
		}
	}
	fmt.Println(outcomes)
}

// outcome is a verdict, or why there is none.
func outcome(ctx context.Context, submitted drydock.Submitted) string {
	if submitted.Err != nil {
		return submitted.Err.Error()
	}
	result, err := submitted.Job.Wait(ctx)
	if err != nil {
		return err.Error()
	}
	return string(result.Verdict)
}
