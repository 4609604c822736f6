// Package drydock runs untrusted code on Drydock: programs to a verdict, queues of them, and live sandboxes.
//
//	client, err := drydock.New(ctx)
//	result, err := client.Run(ctx, "python", "print(6 * 7)")
//
//	sandbox, err := client.CreateSandbox(ctx, "python", drydock.Lifetime(10*time.Minute))
//	defer sandbox.Close()
//	cmd := sandbox.Command(ctx, "python3", "main.py")
//	cmd.Stdout = os.Stdout
//	err = cmd.Run()
//
// A call ends with its context. Without a deadline of its own it takes at most 60 s; streams, files, and calls that await a
// program have no limit. A call that is safe to repeat is repeated when the platform cannot be reached, or says when to try again.
// Errors are an [*Error], told apart by [errors.Is] and values such as [ErrNotFound].
package drydock
