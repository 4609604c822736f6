package drydock

import (
	"context"
	"iter"

	drydockv1 "drydock.dev/drydock/v1"
)

// Template is a kind of sandbox.
type Template struct {
	// ID is such as python.
	ID          string
	Description string
	// DefaultLimits are those of a sandbox that is made without any.
	DefaultLimits Limits
	// Languages that it runs, by their names.
	Languages []string
	// WritableRoot tells whether the root file system can be written to.
	WritableRoot bool
}

func toTemplate(m *drydockv1.Template) *Template {
	return &Template{
		ID:            m.GetId(),
		Description:   m.GetDescription(),
		DefaultLimits: toLimits(m.GetDefaultLimits()),
		Languages:     m.GetLanguages(),
		WritableRoot:  m.GetWritableRoot(),
	}
}

// Language is a programming language, as programs name it.
type Language struct {
	// Name is such as python.
	Name string
	// DisplayName is such as Python 3.11.
	DisplayName string
	// Template that runs it.
	Template string
	// SourceFile is the file that Program.Source is written to, such as main.py.
	SourceFile string
	// Compiled tells whether a compile step comes before the run.
	Compiled bool
}

func toLanguage(m *drydockv1.Language) *Language {
	return &Language{
		Name:        m.GetName(),
		DisplayName: m.GetDisplayName(),
		Template:    m.GetTemplate(),
		SourceFile:  m.GetSourceFile(),
		Compiled:    m.GetCompiled(),
	}
}

// GetTemplate fails with ErrNotFound.
func (c *Client) GetTemplate(ctx context.Context, id string) (*Template, error) {
	request := &drydockv1.GetTemplateRequest{TemplateId: id}
	answer, err := call(ctx, c.connection, repeatable, c.connection.templates.GetTemplate, request)
	if err != nil {
		return nil, err
	}
	return toTemplate(answer.GetTemplate()), nil
}

// Templates lists all, by id.
func (c *Client) Templates(ctx context.Context) iter.Seq2[*Template, error] {
	return pages(func(pageToken string) ([]*Template, string, error) {
		request := &drydockv1.ListTemplatesRequest{PageToken: pageToken}
		answer, err := call(ctx, c.connection, repeatable, c.connection.templates.ListTemplates, request)
		if err != nil {
			return nil, "", err
		}
		return converted(answer.GetTemplates(), toTemplate), answer.GetNextPageToken(), nil
	})
}

// Languages lists all, by name.
func (c *Client) Languages(ctx context.Context) iter.Seq2[*Language, error] {
	return pages(func(pageToken string) ([]*Language, string, error) {
		request := &drydockv1.ListLanguagesRequest{PageToken: pageToken}
		answer, err := call(ctx, c.connection, repeatable, c.connection.templates.ListLanguages, request)
		if err != nil {
			return nil, "", err
		}
		return converted(answer.GetLanguages(), toLanguage), answer.GetNextPageToken(), nil
	})
}
