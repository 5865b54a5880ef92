package handlers

import (
	"context"

	"hstockbot/bot"
	"hstockbot/internal/route"
	"hstockbot/keyboards"
)

// attachAdmin registers what exists for admins only. This is the list of their
// routes.
func (s *Shop) attachAdmin() {
	s.adminCommand("admin", s.adminHomeCommand)

	adminScreen(s, keyboards.Admin, s.adminHome)
	adminScreen(s, keyboards.Broadcasts, s.broadcastList)
	adminScreen(s, keyboards.BroadcastWrite, s.broadcastWrite)
	adminScreen(s, keyboards.BroadcastText, s.broadcastAsk)
	adminScreen(s, keyboards.BroadcastRemove, s.broadcastRemove)
	adminScreen(s, keyboards.BroadcastPreview, s.broadcastPreview)
	adminScreen(s, keyboards.BroadcastSend, s.broadcastSend)
	adminScreen(s, keyboards.BroadcastDiscard, s.broadcastDiscard)
	adminScreen(s, keyboards.BroadcastShow, s.broadcastShow)
	adminScreen(s, keyboards.BroadcastStop, s.broadcastStop)

	s.adminStep(stepBroadcast, s.broadcastTyped)
}

// adminScreen registers a screen that exists for admins only: to anyone else its
// buttons are what forged ones are. Who is one is looked up at every tap.
func adminScreen[A any](s *Shop, r route.Route[A], h func(context.Context, *bot.Request, A) (bot.View, error)) {
	bot.Handle(s.bot, r, func(ctx context.Context, req *bot.Request, args A) (bot.View, error) {
		if !s.admin(req.User.ID) {
			return outdated(ctx, req), nil
		}
		return h(ctx, req, args)
	})
}

// adminCommand registers a command likewise: to anyone else it is one that the
// bot does not have.
func (s *Shop) adminCommand(name string, h func(context.Context, *bot.Request) (bot.View, error)) {
	s.bot.Command(name, s.forAdmins(h))
}

// adminStep registers a step likewise, for who stops being an admin while they
// are asked something.
func (s *Shop) adminStep(name string, h func(context.Context, *bot.Request) (bot.View, error)) {
	s.bot.Step(name, s.forAdmins(h))
}

func (s *Shop) forAdmins(h func(context.Context, *bot.Request) (bot.View, error)) func(context.Context, *bot.Request) (bot.View, error) {
	return func(ctx context.Context, req *bot.Request) (bot.View, error) {
		if !s.admin(req.User.ID) {
			return s.text(ctx, req)
		}
		return h(ctx, req)
	}
}

func (s *Shop) adminHome(_ context.Context, req *bot.Request, _ struct{}) (bot.View, error) {
	return bot.View{Text: req.L.T("admin_title"), Keyboard: keyboards.AdminKeyboard(req.L)}, nil
}

func (s *Shop) adminHomeCommand(ctx context.Context, req *bot.Request) (bot.View, error) {
	return s.adminHome(ctx, at(req, keyboards.Admin.Data(struct{}{})), struct{}{})
}
