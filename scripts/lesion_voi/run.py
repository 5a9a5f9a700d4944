"""A training run: a network with its optimiser, its averaged copy and its place in the schedule, kept in one file and resumable."""
import copy
import json
import pathlib
import time

import numpy as np
import torch


def without_place(settings):
    """What makes two runs the same one; where the start lies on the disk does not."""
    return {key: value for key, value in settings.items() if key != "start"}


class Run:
    """What its subclasses add is `losses`: one loss to descend, and the figures of a step to log, from the step's number alone."""

    FIGURES = ()  # names of the figures
    WEIGHT_DECAY, EMA_DECAY, WARM_STEPS, SAVED_EVERY = 1e-3, 0.997, 100, 100

    def __init__(self, path, settings, net):
        self.path, self.settings, self.step, self.log, self.net = pathlib.Path(path), settings, 0, [], net
        if settings.get("start"):
            self.net.load_state_dict(torch.load(settings["start"], weights_only=True)["average"])
        self.average = copy.deepcopy(self.net)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=settings["rate"], weight_decay=self.WEIGHT_DECAY)
        if self.path.exists():
            state = torch.load(self.path, weights_only=True)
            if without_place(state["settings"]) != without_place(settings):
                raise SystemExit(f"{path} was begun with other settings: {state['settings']}")
            for part in ("net", "average", "optimiser"):
                getattr(self, part).load_state_dict(state[part])
            self.step, self.log = state["step"], state["log"]

    def save(self):
        parts = {part: getattr(self, part).state_dict() for part in ("net", "average", "optimiser")}
        torch.save({"settings": self.settings, "step": self.step, "log": self.log, **parts}, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").rename(self.path)

    def rate(self):
        warm = min(1.0, (self.step + 1) / self.WARM_STEPS)
        done = self.step / self.settings["steps"]
        return float(self.settings["rate"] * warm * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * done))))

    def one_step(self, source):
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        loss, figures = self.losses(source)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        decay = min(self.EMA_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.net.parameters()):
                mean.lerp_(now, 1 - decay)
        return [float(figure.detach()) for figure in figures]

    def train(self, source, until, minutes):
        """Steps until `until`, the end of the schedule or the end of the time given; saved again and again."""
        began, seen = time.time(), []
        until = min(until or self.settings["steps"], self.settings["steps"])
        while self.step < until and (time.time() - began) < 60 * minutes:
            seen.append(self.one_step(source))
            if self.step % self.SAVED_EVERY == 0:
                figures = [round(float(v), 4) for v in np.mean(seen, 0)]
                self.log.append([self.step, *figures])
                told = dict(zip(self.FIGURES, figures))
                print(json.dumps({"fold": self.settings["fold"], "step": self.step, **told, "seconds": round(time.time() - began)}), flush=True)
                seen = []
                self.save()
        self.save()
