package cli

import (
	goversion "github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/lang"
)

// checkVersion holds this program against the spec's required_version, constraints such as ">= 0.1, < 1.0" or "~> 0.1".
func checkVersion(spec *lang.Spec) *hcl.Diagnostic {
	want := spec.Settings.RequiredVersion
	if want == "" {
		return nil
	}
	constraints, err := goversion.NewConstraint(want)
	if err != nil {
		return lang.Errorf("bad-version", lang.Addr{}, spec.Settings.VersionRange, "Invalid version constraint",
			"%q is no constraint: write \">= 0.1, < 1.0\", \"~> 0.1\" or \"0.1.0\".", want)
	}
	if !constraints.Check(goversion.Must(goversion.NewVersion(Version))) {
		return lang.Errorf("version", lang.Addr{}, spec.Settings.VersionRange, "Wrong version of mbuild",
			"The spec needs mbuild %s, and this is mbuild %s. Install a version that fits, or change required_version.", want, Version)
	}
	return nil
}
