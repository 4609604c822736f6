// Talks to a shell on a terminal. With one of your own, pass its input on: go io.Copy(terminal, os.Stdin).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"drydock.dev/drydock"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	client, err := drydock.New(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	sandbox, err := client.CreateSandbox(ctx, "python", drydock.Lifetime(10*time.Minute))
	if err != nil {
		return err
	}
	defer sandbox.Close()
	shell := sandbox.Command(ctx, "/bin/sh")
	terminal, err := shell.StartTerminal(drydock.TerminalSize{Rows: 24, Columns: 80})
	if err != nil {
		return err
	}
	defer terminal.Close()

	if _, err := io.WriteString(terminal, "stty size\n"); err != nil {
		return err
	}
	if err := show(terminal, "24 80"); err != nil {
		return err
	}
	if err := terminal.Resize(ctx, drydock.TerminalSize{Rows: 50, Columns: 120}); err != nil {
		return err
	}
	if _, err := io.WriteString(terminal, "stty size; exit\n"); err != nil {
		return err
	}
	if _, err := io.Copy(os.Stdout, terminal); err != nil {
		return err
	}
	err = shell.Wait()
	if exit, failed := errors.AsType[*drydock.ExitError](err); err != nil && !failed {
		return err
	} else if failed {
		fmt.Println("the shell failed:", exit)
	}
	fmt.Println("the shell ended with", shell.ProcessState.ExitCode())
	return nil
}

// show prints what the terminal shows until it has shown a text.
func show(terminal io.Reader, text string) error {
	var shown strings.Builder
	for piece := make([]byte, 1024); !strings.Contains(shown.String(), text); {
		n, err := terminal.Read(piece)
		if err != nil {
			return err
		}
		shown.Write(piece[:n])
		fmt.Print(string(piece[:n]))
	}
	return nil
}
