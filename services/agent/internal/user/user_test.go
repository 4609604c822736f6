package user_test

import (
	"os"
	"strings"
	"testing"

	"drydock.dev/agent/internal/user"
)

func TestIDsOfAnAgentThatIsRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root acts as others")
	}
	if u, err := user.Parse([]string{"71001", "71002"}); err != nil || u != (user.User{Separate: true, ID: 71001, Owner: 71002}) {
		t.Errorf("%+v %v", u, err)
	}
	for _, ids := range []string{"", "71001", "71001 71002 71003", "0 71002", "71001 -1", "71001 x", "71001 2147483648", "71001 71001"} {
		if u, err := user.Parse(strings.Fields(ids)); err == nil {
			t.Errorf("%q: %+v", ids, u)
		}
	}
}
