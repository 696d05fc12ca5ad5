"""What is decided before data are seen: one dataclass a study, chosen by the key ``study`` of its YAML.

Windows are in weeks relative to the site's ``programme_start``, so that one study serves every site.
"""

from evalkit.spec.effect import EffectStudy
from evalkit.spec.mechanism import MechanismStudy
from evalkit.spec.monitoring import MonitoringStudy
from evalkit.spec.user import UserStudy

# Each class has the computed fields ``name`` and ``sha256`` (no keys of the file) beside its own.
STUDIES = {"effect": EffectStudy, "mechanism": MechanismStudy, "monitoring": MonitoringStudy,
           "user": UserStudy}
