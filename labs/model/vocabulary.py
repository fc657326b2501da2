"""The film language a model of ours is asked in: the same words in English and Chinese, one token each.

A Chinese term is rewritten to its English word before it is looked up, so both languages ask for the same picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

TERMS: dict[str, dict[str, tuple[str, ...]]] = {
    "size": {
        "wide": ("远景", "大远景"),
        "full": ("全景",),
        "medium": ("中景",),
        "close": ("近景",),
        "extreme": ("极", "超"),
        "closeup": ("大特写", "特写"),
    },
    "move": {
        "static": ("固定镜头", "固定", "静止"),
        "pan": ("横摇", "摇镜头"),
        "tilt": ("俯仰摇", "竖摇"),
        "push": ("推镜头", "推近"),
        "pull": ("拉镜头", "拉远"),
        "track": ("跟拍", "移镜头", "跟镜头"),
        "handheld": ("手持",),
        "left": ("向左", "左"),
        "right": ("向右", "右"),
        "up": ("向上",),
        "down": ("向下",),
        "slow": ("缓慢", "慢"),
        "fast": ("快速", "快"),
    },
    "subject": {
        "woman": ("女人", "女孩", "女主"),
        "man": ("男人", "男孩", "男主"),
        "child": ("孩子",),
        "old": ("老",),
        "hand": ("手",),
        "eye": ("眼睛", "眼"),
        "face": ("脸",),
        "phone": ("手机",),
        "letter": ("信",),
        "door": ("门",),
        "window": ("窗",),
        "car": ("汽车", "车"),
        "umbrella": ("雨伞", "伞"),
        "ring": ("戒指",),
        "cup": ("杯子", "杯"),
        "ball": ("球",),
        "box": ("盒子", "箱子"),
    },
    "place": {
        "room": ("房间",),
        "street": ("街道", "街"),
        "office": ("办公室",),
        "elevator": ("电梯",),
        "hospital": ("医院",),
        "cafe": ("咖啡馆",),
        "forest": ("森林",),
        "sea": ("海边", "海"),
        "sky": ("天空",),
        "city": ("城市",),
    },
    "colour": {
        "red": ("红色", "红"),
        "orange": ("橙色",),
        "yellow": ("黄色", "黄"),
        "green": ("绿色", "绿"),
        "blue": ("蓝色", "蓝"),
        "purple": ("紫色", "紫"),
        "black": ("黑色", "黑"),
        "white": ("白色", "白"),
        "grey": ("灰色", "灰"),
    },
    "light": {
        "light": ("光线", "光"),
        "day": ("白天", "日"),
        "night": ("夜晚", "夜"),
        "dawn": ("清晨", "黎明"),
        "dusk": ("黄昏", "傍晚"),
        "warm": ("暖",),
        "cold": ("冷",),
        "bright": ("明亮",),
        "dark": ("昏暗", "暗"),
        "neon": ("霓虹",),
        "rain": ("雨",),
        "backlit": ("逆光",),
    },
    "joining": {
        "shot": ("镜头",),
        "a": ("一个", "一只", "一扇", "一部"),
        "an": (),
        "the": (),
        "in": ("在", "里"),
        "on": ("上",),
        "out": (),
        "of": ("的",),
        "at": (),
        "with": (),
        "and": ("和",),
        "to": (),
    },
}
"""Axis → English word → the Chinese terms that mean it."""

PAD, UNKNOWN = "<pad>", "<unk>"


def words(known: Container[str] | None = None) -> tuple[str, ...]:
    """Every English word (of ``known``, where given), in the order of the table; a token's number depends on it."""
    return tuple(word for axis in TERMS.values() for word in axis if known is None or word in known)


def chinese_terms(known: Container[str] | None = None) -> tuple[tuple[str, str], ...]:
    """Pairs of Chinese term and English word, longest term first, so that 手机 is a phone and not a hand."""
    allowed = words(known)
    table = [(term, word) for axis in TERMS.values() for word, terms in axis.items() for term in terms]
    pairs = [(term, word) for term, word in table if word in allowed]
    return tuple(sorted(pairs, key=lambda pair: (-len(pair[0]), pair[0])))
