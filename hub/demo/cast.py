"""VALUE: who is in a demonstration: invented people, what becomes of each, and the words they write. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Story = Literal["finished", "improved", "waiting", "struggling", "early", "begun"]
"""What becomes of a trainee: ``finished`` all labs at once; ``improved`` on a second attempt; ``waiting`` for a person
to grade the first lab; ``struggling`` with a poor first lab, late; ``early`` in the course, one lab marked; ``begun``
and nothing handed in."""


@dataclass(frozen=True)
class Role:
    """Somebody of the staff: user name, full name and what they are."""

    name: str
    full_name: str
    role: Literal["admin", "instructor", "funder"]


@dataclass(frozen=True)
class Trainee:
    """Somebody on a roster; without a ``story`` they have not signed up."""

    number: str
    name: str
    full_name: str
    story: Story | None


@dataclass(frozen=True)
class CohortPlan:
    """A class that began ``began`` days ago."""

    title: str
    began: int
    trainees: tuple[Trainee, ...]


@dataclass(frozen=True)
class HandMarkPlan:
    """What an instructor thinks of a hand-written answer: a share of its points, and why."""

    share: float
    comment: str


STAFF = (
    Role("guanli", "邓管理", "admin"),
    Role("zhoulan", "周岚", "instructor"),
    Role("caizheng", "沈财政", "funder"),
)

NAMES = (
    ("林晓雨", "linxiaoyu"), ("王子轩", "wangzixuan"), ("陈思远", "chensiyuan"), ("赵一鸣", "zhaoyiming"),
    ("刘佳怡", "liujiayi"), ("孙浩然", "sunhaoran"), ("黄梓涵", "huangzihan"), ("周雨桐", "zhouyutong"),
    ("吴俊杰", "wujunjie"), ("徐诗涵", "xushihan"), ("马天宇", "matianyu"), ("朱欣怡", "zhuxinyi"),
    ("胡宇航", "huyuhang"), ("郭若曦", "guoruoxi"), ("何嘉豪", "hejiahao"), ("高梦琪", "gaomengqi"),
    ("罗文博", "luowenbo"), ("郑可欣", "zhengkexin"), ("梁博文", "liangbowen"), ("谢雅婷", "xieyating"),
    ("宋明哲", "songmingzhe"), ("唐雨萱", "tangyuxuan"), ("许志远", "xuzhiyuan"), ("韩静雯", "hanjingwen"),
    ("冯子墨", "fengzimo"), ("曹语嫣", "caoyuyan"), ("彭思齐", "pengsiqi"), ("曾乐瑶", "zengleyao"),
    ("萧景行", "xiaojingxing"), ("田书瑶", "tianshuyao"), ("董承宇", "dongchengyu"), ("袁知夏", "yuanzhixia"),
)  # fmt: skip
"""Full names and user names, all invented; more than the largest cast needs."""

Stories = tuple[tuple[Story | None, int], ...]
"""How many trainees of a cohort have each story; None has a seat and has not signed up."""

FAST: tuple[tuple[str, int, Stories], ...] = (
    (
        "秋季一班",
        30,
        (("finished", 2), ("improved", 1), ("waiting", 1), ("struggling", 1), ("begun", 1), (None, 1)),
    ),
)
FULL: tuple[tuple[str, int, Stories], ...] = (
    (
        "秋季一班",
        30,
        (("finished", 7), ("improved", 4), ("waiting", 3), ("struggling", 2), ("begun", 2), (None, 1)),
    ),
    ("冬季一班", 9, (("early", 5), ("waiting", 2), ("struggling", 2), ("begun", 3), (None, 1))),
)
"""Cohorts: title, days since the first one, and the stories of its trainees; fast has 6 who signed up, full has 30."""


def cast(plan: tuple[tuple[str, int, Stories], ...]) -> tuple[CohortPlan, ...]:
    """Give the stories of ``plan`` to the people of :data:`NAMES`, in order."""
    people = iter(enumerate(NAMES, start=1))
    cohorts = []
    for title, began, stories in plan:
        told = [story for story, count in stories for _ in range(count)]
        seats = [
            Trainee(f"2026{number:03d}", name, full, story)
            for story, (number, (full, name)) in zip(told, people, strict=False)
        ]
        cohorts.append(CohortPlan(title, began, tuple(seats)))
    return tuple(cohorts)


ESSAYS = (
    """**前三秒**：俯拍一只老式保温杯，杯盖上贴着“别喝”。一只手还是拧开了它。

**为什么划不走**：我们看见字条是她自己的笔迹，她却像第一次见到它。

**最后一个画面**：镜头拉远，桌上一排同样的杯子，每只都贴着同样的字。她拿起下一只。""",
    """**前三秒**：地铁末班车进站，车窗里坐满了人，站台上只有她一个。车门开了，没有人下车。

**为什么划不走**：所有乘客同时转头看她，手里都拿着她丢失的那把钥匙。

**最后一个画面**：她的手机亮起来：“你已到站。”发信人是她自己。""",
    """**前三秒**：婚礼上，新郎把戒指戴进了伴娘的手指，台下鼓掌。

**为什么划不走**：新娘也在鼓掌，而且笑得最开心。

**最后一个画面**：戒指内侧刻着明天的日期。""",
)
"""What trainees write where a person grades."""

THIN_ESSAY = "气氛很紧张，主角非常害怕，观众会想知道后面发生了什么。"

GOOD_MARKS = (
    HandMarkPlan(1.0, "第一个画面就提出了问题，静音也看得懂。结尾推翻了我们相信的事，很好。"),
    HandMarkPlan(0.9, "钩子具体，能拍。第二段还可以再短一点：相信画面。"),
    HandMarkPlan(0.8, "悬念成立；最后一个画面再靠近一些，让人看清手上的东西。"),
    HandMarkPlan(0.7, "有画面，有问题，但“为什么划不走”说的是情绪，请改成镜头里看得见的动作。"),
)
POOR_MARK = HandMarkPlan(0.2, "这是概括，不是画面。请写出镜头里有谁、在哪里、做什么，再交一次。")
REVOKED_FOR = "持证人申请更正姓名，原证书作废。"
