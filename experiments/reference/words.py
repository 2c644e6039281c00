"""The words of the curriculum.

Everything that can be said to the models aloud is chosen so that a recogniser can tell it apart: one word per thing, in
the pronouncing dictionary, and no two of a kind that sound alike.
"""

EVERYDAY = """
    umbrella mirror guitar piano camera lantern battery keyboard telephone newspaper teapot blender
    refrigerator napkin detergent vacuum necklace backpack toothpaste screwdriver bicycle football puzzle
    pencil carpet sofa bookcase radiator saxophone album honey
"""
"""Household things that come up daily: every size is taught where these belong."""

KNOWN = """
    blanket candle basket trumpet microscope compass calculator printer scanner projector microphone radio
    typewriter notebook dictionary encyclopedia magazine calendar postcard photograph painting sculpture
    saucepan toaster dishwasher microwave spatula corkscrew thermometer teaspoon tablecloth apron sponge broom
    wardrobe bathrobe raincoat jacket necktie scarf bracelet wallet handbag suitcase briefcase passport
    toothbrush shampoo perfume lipstick bandage aspirin stethoscope chainsaw toolbox sandpaper paintbrush
    drill
"""
"""Household things that come up now and then: the two larger sizes are taught these."""

RARE = """
    wheelbarrow shovel flowerpot watermelon pumpkin pineapple strawberry cucumber broccoli tomato garlic
    cinnamon vinegar mustard ketchup chocolate spaghetti cereal coffee motorcycle skateboard basketball
    baseball trampoline dumbbell treadmill tent hammock canoe flashlight campfire thermos chessboard puppet
    balloon kite scrapbook stapler eraser folder clipboard magnet glue curtain cushion armchair stool mattress
    chandelier doormat padlock thermostat fireplace humidifier ventilator extinguisher aquarium birdcage leash
    harmonica accordion clarinet tambourine ukulele banjo trophy medal certificate diary cookbook bible globe
    thimble yarn tripod joystick adapter laptop tablet antenna mousetrap insecticide bleach firewood charcoal
    gasoline stroller pacifier bottle wristwatch hourglass
"""
"""Household things that hardly ever come up: only the largest is taught these."""

PLACES = """
    kitchen bathroom garage attic basement pantry balcony library hallway closet workshop nursery laundry
    studio cellar porch cupboard cabinet garden office bedroom stable greenhouse drawer
"""

NAMES = """
    anna david emma frank george helen irene jacob kevin laura martin nancy oliver peter rachel simon thomas
    victor wendy barbara charles dorothy eric gloria
"""

DAYS = """
    monday tuesday wednesday thursday friday saturday sunday
"""

MONTH_NAMES = """
    january february march april may june july august september october november december
"""

COMPASS = """
    north east south west
"""

DEVICES = """
    lamp heater fan radio alarm camera printer speaker
"""

COMMON = """
    river mountain forest ocean island desert bridge tower castle village city country street corner winter
    summer spring autumn morning evening midnight thunder lightning rainbow cloud shadow silver golden purple
    orange yellow green blue black white brown crimson tiger lion elephant monkey rabbit horse donkey chicken
    turkey pigeon eagle spider butterfly dolphin whale dragon giant wizard princess soldier doctor teacher
    farmer pilot captain sailor painter singer dancer writer student neighbor brother sister mother father
    cousin family friend stranger music picture story letter number question answer secret promise danger
    trouble freedom justice wisdom courage patience memory silence language science history nature weather
    journey holiday birthday wedding market hospital museum theater airport station harbor factory engine
    machine rocket satellite planet galaxy gravity magnetic electric liquid crystal diamond copper marble
    plastic cotton leather velvet wooden paper simple gentle clever hungry thirsty sleepy angry happy lonely
    careful famous ancient modern empty heavy narrow broken frozen hidden sudden perfect
"""
"""Words that only have to be repeated: they widen what can be copied."""


TIERS: tuple[tuple[str, ...], ...] = tuple(tuple(tier.split()) for tier in (EVERYDAY, KNOWN, RARE))
THINGS: tuple[str, ...] = tuple(thing for tier in TIERS for thing in tier)
ROOMS: tuple[str, ...] = tuple(PLACES.split())
PEOPLE: tuple[str, ...] = tuple(NAMES.split())
WEEKDAYS: tuple[str, ...] = tuple(DAYS.split())
MONTHS: tuple[str, ...] = tuple(MONTH_NAMES.split())
HEADINGS: tuple[str, ...] = tuple(COMPASS.split())
"""Clockwise."""
APPLIANCES: tuple[str, ...] = tuple(DEVICES.split())
COPIED: tuple[str, ...] = tuple(COMMON.split())
