package keyboards

import "hstockbot/internal/route"

// Help is the route of the help screen; its keyboard is the foot alone.
var Help = route.New[struct{}]("h")
