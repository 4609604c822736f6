package drydock

import (
	"context"
	"maps"
	"slices"

	"go.opentelemetry.io/otel"
	"google.golang.org/grpc/metadata"
)

// withHeaders adds the credential, and the trace of ctx where the program has set a propagator of OpenTelemetry.
func withHeaders(ctx context.Context, credential string) context.Context {
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+credential)
	trace := carrier{}
	otel.GetTextMapPropagator().Inject(ctx, trace)
	for key, value := range trace {
		ctx = metadata.AppendToOutgoingContext(ctx, key, value)
	}
	return ctx
}

// carrier takes the headers of a trace.
type carrier map[string]string

func (c carrier) Get(key string) string { return c[key] }
func (c carrier) Set(key, value string) { c[key] = value }
func (c carrier) Keys() []string        { return slices.Collect(maps.Keys(c)) }
